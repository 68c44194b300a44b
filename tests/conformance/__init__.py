"""Our scorers against their authors' packages: of ports of published metrics, and of packages in environments."""
