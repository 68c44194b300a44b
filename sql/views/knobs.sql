-- The cells with their knob's settings as columns, from the manifest: also of cells that have no sample yet.
-- family: settings that differ in strength alone (alpha and beta, or tau) are one family: baseline, static, adaptive,
-- temperature; one that leaves out the rescaling, or covers some blocks or steps alone, is a family of its own.
-- by_name: all settings, those left out with their defaults, in the order of their names: equal where knobs of a kind are.
CREATE OR REPLACE VIEW knobs AS
WITH whole AS (
    SELECT
        run_id, cell, position, baseline, knob, settings,
        json_merge_patch(
            '{"beta": 1.0, "adapt_alpha": "off", "adapt_beta": false, "eta_scope": "sample", "rescale": "norm",
            "blocks": "all", "window": [0.0, 1.0]}',
            settings
        ) AS whole
    FROM cells
),
parsed AS (
    SELECT
        run_id, cell, position, baseline, knob, settings,
        list_transform(list_sort(json_keys(whole)), lambda name: name || ' ' || (whole->name)::VARCHAR) AS by_name,
        (whole->>'alpha')::DOUBLE AS alpha,
        CASE WHEN knob = 'skew' THEN (whole->>'beta')::DOUBLE END AS beta,
        (whole->>'tau')::DOUBLE AS tau,
        whole->>'adapt_alpha' AS adapt_alpha,
        (whole->>'adapt_beta')::BOOLEAN AS adapt_beta,
        whole->>'rescale' AS rescale,
        whole->>'blocks' AS blocks,
        (whole->'window'->>0)::DOUBLE AS window_start,
        (whole->'window'->>1)::DOUBLE AS window_end
    FROM whole
)
SELECT
    *,
    adapt_alpha <> 'off' OR adapt_beta AS adaptive,
    concat_ws(
        ', ',
        CASE
            WHEN knob = 'vanilla' THEN 'baseline' WHEN knob <> 'skew' THEN knob
            WHEN adapt_alpha <> 'off' OR adapt_beta THEN 'adaptive' ELSE 'static' END,
        CASE WHEN knob = 'skew' AND rescale = 'off' THEN 'no rescale' END,
        CASE WHEN blocks <> 'all' THEN 'blocks ' || blocks END,
        CASE WHEN window_start > 0 OR window_end < 1 THEN 'steps ' || window_start || ' to ' || window_end END
    ) AS family
FROM parsed;
