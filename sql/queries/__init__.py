"""The named queries, one package each: `query.sql`, its declaration `QUERY`, and its interval and figure."""
