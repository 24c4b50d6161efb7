"""The collector: events over HTTP, durable before they are acknowledged (docs/explanation/collector.md)."""
