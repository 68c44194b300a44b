"""The page's sections: each turns answers into figures, or says what is missing."""
