"""What tests share that make alarms fire."""

from alarm_bench import watch

__all__ = ["watch"]
