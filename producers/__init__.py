"""What source systems import or run to put their changes on the stream."""

from producers.delivery import DeliveryFailure, EventTooLargeError, PublisherCounts, PublishError, PublisherSettings
from producers.partition_key import partition_key, partition_key_of
from producers.publisher import Publisher

__all__ = [
    "DeliveryFailure",
    "EventTooLargeError",
    "PublishError",
    "Publisher",
    "PublisherCounts",
    "PublisherSettings",
    "partition_key",
    "partition_key_of",
]
