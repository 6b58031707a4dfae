"""What rules make of records of which the right outcome is known: cases of rule authors, and labelled sets."""
