"""The events API: HTTP to the change stream, for applications that write their changes themselves.

Nothing enters unvalidated: an event is judged as the resolve consumer will judge it, by the same code and for the same
reasons, before it goes on the stream. The same application runs on AWS Lambda behind API Gateway
(``producers.events_api.handler``) and on a laptop as ASGI (``producers.events_api.asgi``).
"""
