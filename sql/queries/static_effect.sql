-- What does each setting do to each metric, and to Align? Paired change of each cell against the baseline.
--
-- Pairs are the pictures of the same prompt, seed and size (for diversity: a prompt's pictures); those with a side that
-- was lost or has no score drop out of their own row alone, and are counted in lost if the cell lost them. So do pairs
-- that were scored by different versions, and of a metric that grows with the pictures in the set (as Vendi), those
-- whose sets are not of the same size. Where all of a cell were lost, change is NULL and worst_case is there.
--
-- parameter category: a category of prompts, '*' for each; default: all prompts together
-- parameter branch: of Align: cond or uncond; default: the session's, else the mean of both
--
-- Columns: run_id, cell, family (of knobs), settings (JSON), category (NULL: all prompts), metric (alignment: Align),
-- kind (sample, prompt; measure: Align), baseline, mean (of the cell), change, low, high (95%: the run's bootstrap where
-- it was analysed, else normal, clustered by prompt), method, median_change, baseline_sd, wins (share of pairs that got
-- better, ties half), n (pairs), prompts, lost (pairs whose picture the cell lost; of prompts: whose value it has not,
-- since it lost a picture), worst_case (change, with the worst value of the metric seen in the run for each of the lost).
-- Of a metric that has no better side, such as sharpness, wins and worst_case are NULL.
-- Source: the paper's table of the static knob.
SELECT
    e.run_id, e.cell, k.family, k.settings, e.category, e.metric, e.kind, e.baseline, e.mean, e.change,
    coalesce(i.low, e.change - z95() * e.error) AS low,
    coalesce(i.high, e.change + z95() * e.error) AS high,
    coalesce(i.method, CASE WHEN e.error IS NOT NULL THEN normal_method() END) AS method,
    e.median_change, e.baseline_sd, e.wins, e.n, e.prompts, e.lost, e.worst_case
FROM effects AS e
JOIN knobs AS k ON k.run_id = e.run_id AND k.cell = e.cell
LEFT JOIN intervals AS i
    ON i.query = 'static_effect' AND i.statistic = 'change' AND i.run_id = e.run_id AND i.cell = e.cell
    AND i.metric = e.metric AND e.category IS NULL AND i.n = e.n
ORDER BY e.run_id, k.position, e.category, kind_place(e.kind), e.metric;
