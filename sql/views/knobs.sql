-- The cells with their knob's settings, from the manifest, including cells without samples.
-- settings (JSON): all fields of the knob, guidance_rule and condition with theirs, if any; words, family, strengths: as the knob declared them when the run started, so
-- that reading a lake does not need the knob's code. family: settings that differ only in strength, such as baseline,
-- static, adaptive, temperature; a setting for some blocks or steps only forms a family of its own.
-- overrides (JSON): what the cell changes of the experiment's generation, '{}' for most; part of words and family.
-- alpha to window_end: fields of the knob by name, NULL if it lacks the field. adaptive: only for kind skew.
-- by_name: all settings sorted by name: equal if and only if knobs of a kind are.
CREATE OR REPLACE VIEW knobs AS
SELECT
    run_id, cell, position, baseline, knob, settings, overrides, words, family, strengths,
    list_transform(
        list_sort(json_keys(settings)), lambda name: name || ' ' || json_extract(settings, '$."' || name || '"')::VARCHAR
    ) AS by_name,
    try_cast(settings->>'alpha' AS DOUBLE) AS alpha,
    try_cast(settings->>'beta' AS DOUBLE) AS beta,
    try_cast(settings->>'tau' AS DOUBLE) AS tau,
    settings->>'adapt_alpha' AS adapt_alpha,
    try_cast(settings->>'adapt_beta' AS BOOLEAN) AS adapt_beta,
    settings->>'rescale' AS rescale,
    settings->>'blocks' AS blocks,
    try_cast(settings->'window'->>0 AS DOUBLE) AS window_start,
    try_cast(settings->'window'->>1 AS DOUBLE) AS window_end,
    knob = 'skew' AND (coalesce(adapt_alpha, 'off') <> 'off' OR coalesce(adapt_beta, false)) AS adaptive
FROM cells;
