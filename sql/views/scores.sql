-- One score per sample and metric: from the newest version of its scorer, then of the package of the scorer's environment,
-- and of that version a value rather than NULL.
-- A sample is of one cell. The partition names the cell so that a filter for a cell reaches the scan of the files.
-- newest_scores: the same for some rows of `all_scores`, given the name of a table expression that holds them.
CREATE OR REPLACE MACRO newest_scores(rows) AS TABLE
SELECT * FROM query_table(rows)
QUALIFY row_number() OVER (
    PARTITION BY run_id, cell, sample_id, metric
    ORDER BY scorer_version DESC, package_order(package) DESC NULLS LAST, value IS NULL, scorer
) = 1;
CREATE OR REPLACE VIEW scores AS FROM newest_scores('all_scores');
