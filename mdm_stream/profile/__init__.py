"""What records look like: the columns of files of rows, and values that many delivered records share."""
