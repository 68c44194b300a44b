"""Diversity that says of what: how often a prompt's images differ in an attribute that the prompt leaves open."""
