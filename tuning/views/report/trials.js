"use strict";
(() => {
  const source = document.getElementById("trial-data");
  if (!source) return;
  const { columns, original, details, command } = JSON.parse(source.textContent);
  const page = 100;
  const part = (name) => document.getElementById("trial-" + name);
  const table = part("table");
  const column = (key) => columns.find((each) => each.key === key);
  const numbers = column("number").values, places = column("place").values, states = column("state").values;
  const shown = new Set(columns.filter((each) => each.shown));
  let order = numbers.map((_, row) => row), sorted = null, down = false, first = 0, matching = order;

  const element = (name, text, attributes = {}) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    return made;
  };

  function written(each, row) {
    const value = each.values[row];
    if (value === null || value === undefined) return "";
    if (each.kind === "text" || typeof value !== "number") return String(value);
    const spread = each.spread ? each.spread[row] : null;
    if (each.kind === "percent") {
      const [share, around] = [value, spread].map((some) => (100 * some).toFixed(1));
      return spread === null ? share + " %" : share + " ± " + around + " %";
    }
    if (each.key.startsWith("metrics.")) return spread === null ? value.toFixed(3) : value.toFixed(3) + " ± " + spread.toFixed(3);
    const text = Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
    return spread === null ? text : text + " ± " + Number(spread.toPrecision(2));
  }

  const texts = [];
  function text(row) {
    texts[row] ??= columns.map((each) => {
      const value = written(each, row);
      return value && each.key.startsWith("params.") ? each.name + "=" + value : value;
    }).join(" ").toLowerCase();
    return texts[row];
  }

  function matches(row, words) {
    return words.every((word) => (/^\d+$/.test(word) ? String(numbers[row]) === word || text(row).split(/[\s=]/).includes(word) : text(row).includes(word)));
  }

  function filter() {
    const words = part("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const front = part("front").checked;
    matching = order.filter((row) => (!front || places[row]) && matches(row, words));
    first = 0;
    draw();
  }

  function sort(each) {
    down = sorted === each && !down;
    sorted = each;
    const missing = (value) => value === null || value === "";
    order = numbers.map((_, row) => row).sort((a, b) => {
      const [x, y] = [each.values[a], each.values[b]];
      if (missing(x) || missing(y)) return missing(x) - missing(y) || a - b;
      const difference = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true });
      return (down ? -difference : difference) || a - b;
    });
    filter();
  }

  function headings() {
    const row = element("tr");
    for (const each of columns.filter((some) => shown.has(some))) {
      const heading = element("th", undefined, { scope: "col" });
      if (each.kind !== "text") heading.className = "number";
      if (sorted === each) heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      // No <button>: Chromium leaves those blank where it repeats the headings on printed pages.
      const button = element("span", each.name, { role: "button", tabindex: "0", "data-key": each.key });
      button.addEventListener("click", () => { sort(each); table.querySelector(`[data-key="${CSS.escape(each.key)}"]`).focus(); });
      button.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        button.click();
      });
      heading.append(button);
      row.append(heading);
    }
    table.tHead.replaceChildren(row);
  }

  function draw() {
    headings();
    const rows = matching.slice(first, first + page).map((row) => {
      const line = element("tr");
      if (places[row]) line.className = places[row];
      for (const each of columns.filter((some) => shown.has(some))) {
        const cell = element("td");
        if (each.kind !== "text") cell.className = "number";
        if (each.key === "error" && each.values[row]) cell.className = "error";
        if (each.key === "number") cell.append(element("button", String(numbers[row]), { type: "button", class: "trial", "aria-label": "Open trial " + numbers[row] }));
        else cell.textContent = written(each, row);
        line.append(cell);
      }
      line.addEventListener("click", () => open(row));
      return line;
    });
    table.tBodies[0].replaceChildren(...rows);
    const all = numbers.length === matching.length ? "" : ` of ${numbers.length.toLocaleString("en")}`;
    const which = rows.length < matching.length ? `, rows ${first + 1} to ${first + rows.length}` : "";
    part("count").textContent = `${matching.length.toLocaleString("en")}${all} trial${matching.length === 1 && !all ? "" : "s"}${which}`;
    part("pages").hidden = matching.length <= page;
    part("before").disabled = first === 0;
    part("after").disabled = first + page >= matching.length;
  }

  function facts(pairs) {
    const list = element("dl", undefined, { class: "facts" });
    for (const [name, value] of pairs) {
      const pair = element("div");
      pair.append(element("dt", name), element("dd", value));
      list.append(pair);
    }
    return list;
  }

  function open(row) {
    const number = numbers[row], detail = details[number], content = part("content");
    const pairs = (keep) => columns.filter(keep).map((each) => [each.name, written(each, row)]).filter(([, value]) => value !== "");
    part("title").textContent = `Trial ${number}: ${states[row]}${places[row] ? ", " + places[row] : ""}`;
    const parameters = (each) => each.key.startsWith("params.");
    const children = [element("h4", "Parameters"), facts(pairs(parameters))];
    if (states[row] === "complete" && !column("origin").values[row].startsWith("added by hand")) {
      children.push(element("h4", "Apply it"), element("pre", command.replace("{trial}", number)));
    }
    const plot = element("div", undefined, { class: "curves" });
    if (detail && detail.curves.length) children.push(element("h4", "Learning curves"), plot);
    else children.push(element("p", detail ? "This trial has reported no epoch." : "The page holds the curves of the front, the chosen trial and the latest trials alone.", { class: "note" }));
    children.push(element("h4", "Figures"), facts(pairs((each) => !parameters(each) && each.key !== "error")));
    if (detail && detail.error) children.push(element("h4", "Error"), element("pre", detail.error));
    content.replaceChildren(...children);
    part("dialog").showModal();
    part("dialog").scrollTop = 0;
    if (detail && detail.curves.length) curves(plot, detail.curves);
  }

  function curves(place, replicates) {
    if (!window.Plotly || !window.reportTheme) {
      place.append(element("p", "The curves are not available in this browser.", { class: "note" }));
      return;
    }
    const looks = [["forget accuracy", "--chosen"], ["retain accuracy", "--front"]];
    const data = [];
    replicates.forEach(({ loss, metrics }, replicate) => {
      const epochs = loss.map((_, epoch) => epoch + 1);
      const again = { type: "scatter", mode: "lines+markers", showlegend: replicate === 0 };
      metrics.forEach((values, which) => {
        const before = original[which] === null ? [] : [original[which]];
        const [name, color] = looks[which];
        const ys = [...before, ...values].map((value) => (value === null ? null : 100 * value));
        data.push({ ...again, name, legendgroup: name, x: before.length ? [0, ...epochs] : epochs, y: ys, line: { color, width: 2 }, marker: { color, size: 5 } });
      });
      data.push({ ...again, name: "training loss", legendgroup: "loss", x: epochs, y: loss, yaxis: "y2", line: { color: "--start", width: 2, dash: "dot" }, marker: { color: "--start", size: 5 } });
    });
    const layout = {
      height: 320, margin: { l: 56, r: 56, t: 24, b: 48 }, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      xaxis: { title: { text: "epoch" }, automargin: true, tickformat: "d", zeroline: false }, yaxis: { title: { text: "validation accuracy" }, ticksuffix: " %", range: [-3, 103], zeroline: false, automargin: true },
      yaxis2: { title: { text: "training loss" }, overlaying: "y", side: "right", rangemode: "tozero", showgrid: false, zeroline: false, automargin: true, tickformat: ".3~g" },
    };
    const themed = window.reportTheme({ data, layout });
    Plotly.newPlot(place, themed.data, themed.layout, { displayModeBar: false, responsive: true });
  }

  function csv() {
    const quoted = (value) => {
      if (value === null || value === undefined) return "";
      // A spreadsheet would compute a text that begins like a formula.
      const plain = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? "'" + value : String(value);
      return /[",\n\r]/.test(plain) ? '"' + plain.replaceAll('"', '""') + '"' : plain;
    };
    const lines = [columns.flatMap((each) => [each.key, ...(each.spread ? [each.key.replace("metrics.", "spread.")] : [])])];
    for (const row of matching) lines.push(columns.flatMap((each) => [each.values[row], ...(each.spread ? [each.spread[row]] : [])]));
    const address = URL.createObjectURL(new Blob([lines.map((line) => line.map(quoted).join(",") + "\r\n").join("")], { type: "text/csv" }));
    const link = element("a", undefined, { href: address, download: "trials.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  }

  for (const each of columns) {
    const choice = element("label"), box = element("input", undefined, { type: "checkbox" });
    box.checked = shown.has(each);
    box.disabled = each.key === "number";
    box.addEventListener("change", () => { box.checked ? shown.add(each) : shown.delete(each); draw(); });
    choice.append(box, " " + each.name);
    part("columns").querySelector(".choices").append(choice);
  }
  part("filter").addEventListener("input", filter);
  part("front").addEventListener("change", filter);
  part("csv").addEventListener("click", csv);
  part("before").addEventListener("click", () => { first -= page; draw(); });
  part("after").addEventListener("click", () => { first += page; draw(); });
  part("dialog").addEventListener("click", (event) => { if (event.target === part("dialog")) part("dialog").close(); });
  part("tools").hidden = false;
  filter();
})();
