"""The page's sections: each turns answers into figures, or names the missing data."""
