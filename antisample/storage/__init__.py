"""Files: written whole or not at all, read without following links, in folders and in object stores."""
