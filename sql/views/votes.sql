-- The votes of people that count (`skewbench rate`): the newest row of each rater on each comparison, unless it takes the
-- vote back. One row per vote. against: the baseline, or, between two other cells, the one that comes first in the run.
-- score: 1 if cell was chosen, 0 if against was, 0.5 for a tie. left: whether the left side was chosen; NULL for a tie.
-- pair_id: the pair of samples; NULL for question diversity, where sets of a prompt's samples were compared.
CREATE OR REPLACE VIEW votes AS
WITH newest AS (
    SELECT *
    FROM ratings
    QUALIFY row_number() OVER (
        PARTITION BY
            run_id, rater, question, prompt_id, pair_id, least(left_cell, right_cell), greatest(left_cell, right_cell)
        ORDER BY revision DESC, time DESC
    ) = 1
),
sided AS (
    SELECT
        n.*,
        CASE
            WHEN l.baseline OR r.baseline THEN l.baseline
            ELSE l.position < r.position
        END AS against_is_left
    FROM newest AS n
    JOIN cells AS l ON l.run_id = n.run_id AND l.cell = n.left_cell
    JOIN cells AS r ON r.run_id = n.run_id AND r.cell = n.right_cell
    WHERE NOT n.withdrawn
)
SELECT
    run_id, question, rater, time, prompt_id, pair_id,
    CASE WHEN against_is_left THEN right_cell ELSE left_cell END AS cell,
    CASE WHEN against_is_left THEN left_cell ELSE right_cell END AS against,
    CASE WHEN against_is_left THEN right_samples ELSE left_samples END AS samples,
    CASE WHEN against_is_left THEN left_samples ELSE right_samples END AS against_samples,
    CASE WHEN choice IS NULL THEN 0.5 WHEN (choice = left_cell) <> against_is_left THEN 1.0 ELSE 0.0 END::DOUBLE AS score,
    choice = left_cell AS "left"
FROM sided;
