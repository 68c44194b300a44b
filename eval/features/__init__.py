"""Features of images, one network a file. Every module here registers features and is imported to find their names."""
