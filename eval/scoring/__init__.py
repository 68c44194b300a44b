"""What scorers are made of: their contract, declarations and registry, and the parts that several share."""
