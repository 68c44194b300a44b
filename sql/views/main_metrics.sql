-- The two metrics that stand for fidelity (of a picture) and for diversity (of a set of pictures) in each run.
-- role: fidelity, diversity. Session variables fidelity and diversity name others; by default the first that the run has
-- of a list, best validated first, else any, one with a better side before one without. A metric of a prompt's pictures, which has an interval, comes before one of a cell's.
CREATE OR REPLACE VIEW main_metrics AS
WITH candidates AS (
    SELECT
        run_id, metric, kind, higher_is_better,
        CASE kind WHEN 'sample' THEN 'fidelity' ELSE 'diversity' END AS role,
        coalesce(list_position(
            [
                'binding', 'image_reward', 'aesthetic', 'clip_score', 'hps',
                'msssim_diversity', 'lpips_diversity', 'vendi', 'shapes_clip_diversity', 'vendi_score'
            ], metric
        ), 99) AS place,
        CASE kind
            WHEN 'sample' THEN getvariable('fidelity')::VARCHAR ELSE getvariable('diversity')::VARCHAR END AS asked
    FROM metrics
)
SELECT run_id, role, metric, kind, higher_is_better
FROM candidates
WHERE asked IS NULL OR metric = asked
QUALIFY row_number() OVER (PARTITION BY run_id, role ORDER BY kind DESC, place, higher_is_better IS NULL, metric) = 1;
