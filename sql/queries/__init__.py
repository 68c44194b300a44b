"""The named queries, a package each: `query.sql` and its declaration `QUERY`, with what is made of its answer."""
