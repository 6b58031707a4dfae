"""The resolve consumer: from batches of the change stream to golden changes on the feed."""
