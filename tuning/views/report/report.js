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
        const outside = place.closest("figure").querySelector(".outside");
        if (outside) outside.style.visibility = position === 0 ? "" : "hidden";
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
    const bytes = new Uint8Array(packed.length);
    for (let at = 0; at < bytes.length; at += 1) bytes[at] = packed.charCodeAt(at);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  const pause = () => new Promise((resolve) => setTimeout(resolve));

  async function start() {
    const keys = Object.keys(figures);
    const waiting = new Set(keys), near = new Set();
    const place = (key) => document.getElementById("plot-" + key);
    for (const key of keys) {
      place(key).replaceChildren();
      place(key).style.minHeight = figures[key].layout.height + "px";
      if (figures[key].least_width) place(key).style.minWidth = figures[key].least_width + "px";
      addViews(key);
    }
    await pause();
    const script = document.createElement("script");
    script.textContent = await inflated();
    document.head.append(script);
    // Only what is near the window is drawn, one figure at a time, so that a large page answers from the start.
    let busy = false;
    async function drawNear() {
      if (busy) return;
      busy = true;
      for (let key; (key = keys.find((each) => near.has(each) && waiting.has(each))) !== undefined;) {
        waiting.delete(key);
        draw(key, false);
        await pause();
      }
      busy = false;
      root.dataset.figures = waiting.size ? "ready" : "drawn";
    }
    const observer = new IntersectionObserver((entries) => {
      for (const entry of entries) near[entry.isIntersecting ? "add" : "delete"](entry.target.id.replace("plot-", ""));
      drawNear();
    }, { rootMargin: "300px" });
    keys.forEach((key) => observer.observe(place(key)));
    const drawAll = (paper) => { for (const key of keys) if (paper || !waiting.has(key)) draw(key, paper); };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(false));
    window.addEventListener("beforeprint", () => { root.classList.add("printing"); waiting.clear(); drawAll(true); });
    window.addEventListener("afterprint", () => { root.classList.remove("printing"); drawAll(false); root.dataset.figures = "drawn"; });
  }

  document.querySelectorAll(".scroll").forEach(fading);
  window.reportTheme = themed;
  if (Object.keys(figures).length && "DecompressionStream" in window) {
    start().catch((error) => { root.dataset.figures = "failed: " + error; });
  }
})();
