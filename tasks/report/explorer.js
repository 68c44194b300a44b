// The explorer: sliders choose a setting that was run; its images are those of the gallery below, so none is there twice.
(() => {
  const body = document.getElementById("explorer-body");
  const { families, captions } = JSON.parse(document.getElementById("explorer-data").textContent);
  const parts = [...body.querySelectorAll("[data-family]")];
  const sliders = parts.map((part) => [...part.querySelectorAll("input[type=range]")]);
  let family = 0;

  // of the settings where the slider that moved stands, the one nearest to where the others stand
  function nearest(wanted, moved) {
    const away = (setting) => setting.at.reduce((sum, at, i) => sum + (at === null ? 0 : Math.abs(at - wanted[i])), 0);
    const there = families[family].settings.filter(({ at }) => at[moved] === null || at[moved] === wanted[moved]);
    return there.reduce((best, setting) => (away(setting) < away(best) ? setting : best));
  }

  function show(moved) {
    const own = sliders[family];
    const setting = nearest(own.map((slider) => Number(slider.value)), moved);
    own.forEach((slider, i) => {
      if (setting.at[i] !== null) slider.value = setting.at[i];
      const text = slider.dataset.texts.split(" ")[Number(slider.value)];
      slider.setAttribute("aria-valuetext", text);
      slider.nextElementSibling.textContent = text;
    });
    for (const part of parts) part.hidden = part !== parts[family];
    for (const table of body.querySelectorAll("[data-effects]")) table.hidden = table.dataset.effects !== setting.cell;
    for (const slot of body.querySelectorAll("[data-slot]")) {
      const of = `.gallery .image[data-pair="${slot.dataset.slot}"][data-cell="${CSS.escape(setting.cell)}"]`;
      const image = document.querySelector(`#images ${of}`);
      slot.replaceChildren(...(image ? [image.cloneNode(true)] : []));
    }
    body.dataset.cell = setting.cell;
    document.getElementById("explorer-caption").textContent = captions[setting.cell];
  }

  sliders.forEach((own) => own.forEach((slider, i) => slider.addEventListener("input", () => show(i))));
  for (const radio of body.querySelectorAll("input[type=radio]")) {
    radio.addEventListener("change", () => { family = Number(radio.value); show(0); });
  }
  body.hidden = false;
  show(0);
})();
