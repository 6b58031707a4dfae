"""What the columns of a file hold: counted, told by the form of their values, then by what they are called."""
