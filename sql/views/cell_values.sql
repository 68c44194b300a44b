-- One row per cell and metric of all images of a cell. Values against different references are not comparable: if cells
-- were scored against several, this shows the reference that most cells were scored against (of equals, the last by name).
CREATE OR REPLACE VIEW cell_values AS
WITH
scored AS (
    SELECT run_id, cell, metric, value, "set", n FROM group_scores WHERE prompt_id IS NULL AND isfinite(value)
),
sets AS (
    SELECT run_id, metric, "set" FROM scored
    GROUP BY run_id, metric, "set"
    QUALIFY row_number() OVER (PARTITION BY run_id, metric ORDER BY count(*) DESC, "set" DESC) = 1
)
SELECT run_id, cell, metric, value, "set", n FROM scored JOIN sets USING (run_id, metric, "set");
