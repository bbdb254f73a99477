"use strict";
(() => {
  const root = document.documentElement;
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const hovers = JSON.parse(document.getElementById("hovers").textContent);
  // Plotly's own set of buttons would offer to upload the chart to its maker's server.
  const settings = {
    displaylogo: false, showSendToCloud: false, plotlyServerURL: "", scrollZoom: false,
    modeBarButtons: [["toImage", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
  };
  const hover = (number) => (hovers[number] ?? "").replace(/^.*/, "<b>$&</b>").replaceAll("\n", "<br>");
  const narrow = () => window.innerWidth < 560;

  function coloured(value, style) {
    if (Array.isArray(value)) return value.map((item) => (item && typeof item === "object" ? coloured(item, style) : item));
    const entries = Object.entries(value).map(([key, item]) => {
      if (item && typeof item === "object") return [key, coloured(item, style)];
      const named = key.endsWith("color") && typeof item === "string" && item.startsWith("--");
      return [key, named ? style.getPropertyValue(item).trim() : item];
    });
    return Object.fromEntries(entries);
  }

  function themed(figure) {
    const style = getComputedStyle(root);
    const { data, layout } = coloured({ data: figure.data, layout: figure.layout }, style);
    for (const trace of data) if (trace.customdata) trace.hovertext = trace.customdata.map(hover);
    const pick = (name) => style.getPropertyValue(name).trim();
    const axis = { gridcolor: pick("--grid"), linecolor: pick("--axis"), tickcolor: pick("--axis") };
    const looks = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: pick("--text"), family: "system-ui, sans-serif", size: narrow() ? 11 : 13 },
      hoverlabel: { bgcolor: pick("--panel"), bordercolor: pick("--axis"), font: { color: pick("--text") }, align: "left" },
      modebar: { color: pick("--quiet"), activecolor: pick("--text"), bgcolor: "rgba(0,0,0,0)" },
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    };
    const full = { ...layout, ...looks };
    for (const key of Object.keys(layout)) if (/^[xy]axis/.test(key)) full[key] = { ...axis, ...layout[key] };
    return { data, layout: full };
  }

  function draw(key, paper) {
    const place = document.getElementById("plot-" + key);
    const figure = figures[key];
    const { data, layout } = themed(figure);
    if (paper) layout.width = figure.least_width ? 980 : 680;
    return Plotly.react(place, data, layout, { ...settings, responsive: !paper });
  }

  function addViews(key) {
    const views = figures[key].views;
    if (!views) return;
    const place = document.getElementById("plot-" + key);
    const bar = document.createElement("div");
    bar.className = "views";
    views.forEach(({ label, change }, position) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = label;
      button.setAttribute("aria-pressed", String(position === 0));
      button.addEventListener("click", () => {
        [...bar.children].forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
        Plotly.relayout(place, structuredClone(change));
      });
      bar.append(button);
    });
    place.parentElement.before(bar);
  }

  // A table or figure that goes on beyond the edge fades there.
  function fading(box) {
    const update = () => {
      const left = box.scrollLeft > 1, right = box.scrollLeft + box.clientWidth < box.scrollWidth - 1;
      box.dataset.more = left && right ? "both" : left ? "left" : right ? "right" : "";
    };
    box.addEventListener("scroll", update, { passive: true });
    const resized = new ResizeObserver(update);
    resized.observe(box);
    for (const child of box.children) resized.observe(child);
    update();
  }

  async function inflated() {
    const packed = atob(document.getElementById("plotly").textContent);
    const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  async function start() {
    const script = document.createElement("script");
    script.textContent = await inflated();
    document.head.append(script);
    const keys = Object.keys(figures);
    const waiting = new Set(keys);
    const show = (key) => { if (waiting.delete(key)) draw(key, false); };
    const drawAll = (paper) => { for (const key of keys) if (paper || !waiting.has(key)) draw(key, paper); };
    // What is looked at is drawn at once, the rest one by one, so that a large page answers from the start.
    const near = new IntersectionObserver((entries) => {
      for (const entry of entries) if (entry.isIntersecting) show(entry.target.id.replace("plot-", ""));
    }, { rootMargin: "400px" });
    for (const key of keys) {
      const place = document.getElementById("plot-" + key);
      place.replaceChildren();
      place.style.minHeight = figures[key].layout.height + "px";
      if (figures[key].least_width) place.style.minWidth = figures[key].least_width + "px";
      addViews(key);
      near.observe(place);
    }
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(false));
    window.addEventListener("beforeprint", () => { root.classList.add("printing"); waiting.clear(); drawAll(true); });
    window.addEventListener("afterprint", () => { root.classList.remove("printing"); drawAll(false); });
    for (const key of keys) {
      await new Promise((resolve) => setTimeout(resolve));
      show(key);
    }
    near.disconnect();
    root.dataset.figures = "drawn";
  }

  window.reportTheme = themed;
  document.querySelectorAll(".scroll").forEach(fading);
  if (Object.keys(figures).length && "DecompressionStream" in window) {
    start().catch((error) => { root.dataset.figures = "failed: " + error; });
  }
})();
