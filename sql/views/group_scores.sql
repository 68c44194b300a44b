-- One score per set and metric: from the newest version of its scorer, then of the package of the scorer's environment,
-- and within that version a value rather than NULL.
-- A set is the images of a prompt in a cell, or (prompt_id NULL) of the whole cell, with its definition in words.
CREATE OR REPLACE VIEW group_scores AS
SELECT * FROM all_group_scores
QUALIFY row_number() OVER (
    PARTITION BY run_id, cell, prompt_id, "set", metric
    ORDER BY scorer_version DESC, package_order(package) DESC NULLS LAST, value IS NULL, scorer
) = 1;
