// Draws the charts from the specifications in the page. Vega's expression interpreter (`ast`) needs no eval.
(async () => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const specs = read("specs");
  const options = {
    ast: true, actions: false, renderer: "svg", mode: "vega-lite", defaultStyle: false, config: read("chart-config"),
    tooltip: { disableDefaultStyle: true },
  };

  const visible = (node) => node.getClientRects().length > 0;

  async function draw() {
    for (const node of document.querySelectorAll(".chart:not([data-drawn])")) {
      if (!visible(node)) continue;
      node.dataset.drawn = "begun"; // a second call, meanwhile, leaves it alone
      await vegaEmbed(node, specs[node.id], options);
      node.dataset.drawn = "done";
    }
  }

  for (const choice of document.querySelectorAll("fieldset.choice")) {
    choice.hidden = false;
    choice.addEventListener("change", async (event) => {
      for (const panel of document.querySelectorAll(`[data-choice="${choice.id}"]`)) {
        panel.hidden = panel.dataset.value !== event.target.value;
      }
      await draw();
    });
  }

  addEventListener("resize", draw); // another layout shows other charts
  await draw();
  document.documentElement.dataset.ready = "yes";
})();
