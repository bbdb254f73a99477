"""Files of weights, in any of the usual formats, read without executing anything."""
