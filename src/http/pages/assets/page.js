// Draws the tables of the page as charts. Everything they show is in the tables; without this file those are shown.
"use strict";
document.documentElement.classList.add("scripted");

(() => {
  const MINUTE = 60, HOUR = 3600, DAY = 86400;
  const short = (number) => String(Number(number >= 10 ? number.toFixed(0) : number.toPrecision(2)));

  function axisText(unit, value) {
    if (unit === "share") return `${short(value * 100)} %`;
    if (unit === "count" || value === 0) return short(value);
    const [size, name] = value >= DAY ? [DAY, "d"] : value >= HOUR ? [HOUR, "h"] : value >= MINUTE ? [MINUTE, "min"] : [1, "s"];
    return `${short(value / size)} ${name}`;
  }

  // where a person would cut a duration
  const STEPS = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 345600, 604800, 1209600, 2419200, 4838400, 9676800, 19353600];

  function read(figure) {
    const rows = [...figure.querySelectorAll("tbody tr")];
    return rows.map((row) => {
      const data = row.querySelector("data");
      const cells = [...row.querySelectorAll("td")].map((cell) => cell.textContent.trim());
      const [text, n, signal] = cells;
      return {
        tick: row.dataset.tick,
        value: data ? Number(data.value) : null,
        part: "part" in row.dataset,
        signal: "signal" in row.dataset,
        text: `${row.querySelector("th").textContent.trim()}: ${text}, n = ${n}${signal ? `, ${signal}` : ""}`,
        link: row.querySelector("a").href,
      };
    });
  }

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function draw(figure, plot, at, points) {
    const { unit, shape } = figure.dataset;
    const [centre, lower, upper] = ["centre", "lower", "upper"].map((name) => Number(figure.dataset[name] ?? NaN));
    // parts are counted, not measured: months are as wide as each other, and no clock change leaves a gap
    const index = points.map((_, i) => i);
    const only = (wanted) => points.map((point) => (wanted(point) ? point.value : null));
    const level = (value) => points.map(() => value);
    // by its first hour a day may look very busy: such a rate is cut off, and the others are not made small for it
    const whole = points.filter((point) => !point.part);
    const leading = shape === "bars" && whole.some((point) => point.value) ? whole : points;
    const most = Math.max(0, upper || 0, ...leading.map((point) => point.value ?? 0));
    const font = "12px system-ui, sans-serif";
    const axis = { stroke: colour("--muted"), font, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const [accent, signal, muted, card] = ["--accent", "--signal", "--muted", "--card"].map(colour);
    const y = { ...axis, size: 64, values: (_, ticks) => ticks.map((tick) => axisText(unit, tick)) };
    if (unit === "seconds") y.incrs = STEPS;
    const bars = (fill) => ({ fill, stroke: fill, width: 0, paths: uPlot.paths.bars({ size: [0.7, 40] }), points: { show: false } });
    const dots = (size, fill, stroke) => ({ paths: () => null, points: { show: true, size, fill, stroke, width: 2 } });
    const line = { stroke: accent, width: 2, points: { show: false } };
    const data = [index], series = [{}];
    const add = (values, look) => { data.push(values); series.push(look); };
    const plain = (point) => !point.part && !point.signal, isSignal = (point) => point.signal, isPart = (point) => point.part;
    if (shape === "bars") {
      add(only(plain), bars(accent));
      add(only(isSignal), bars(signal));
      add(only(isSignal), dots(8, signal, signal));
      add(only(isPart), bars(`${accent}55`));
    } else {
      add(only(() => true), line);
      add(only(plain), dots(6, accent, accent));
      add(only(isSignal), dots(10, signal, signal));
      add(only(isPart), dots(7, card, accent));
    }
    if (!Number.isNaN(centre)) {
      const ruler = (dash) => ({ stroke: muted, width: 1.5, dash, points: { show: false } });
      add(level(centre), ruler([8, 4]));
      add(level(lower), ruler([2, 4]));
      add(level(upper), ruler([2, 4]));
    }
    return new uPlot({
      width: plot.clientWidth,
      height: 200,
      padding: [8, 20, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: {
        x: { time: false, range: () => [-0.6, points.length - 0.4] },
        y: { range: () => [0, most > 0 ? most * 1.08 : 1] },
      },
      axes: [
        {
          ...axis, size: 28, grid: { show: false }, incrs: [1, 2, 5, 7, 10, 14, 20, 30, 50, 100],
          values: (_, ticks) => ticks.map((tick) => points[tick]?.tick ?? ""),
        },
        y,
      ],
      series,
      hooks: {
        setCursor: [(chart) => { at.textContent = points[chart.cursor.idx]?.text ?? ""; }],
        ready: [(chart) => chart.over.addEventListener("click", () => {
          const point = points[chart.cursor.idx];
          if (point) location.href = point.link;
        })],
      },
    }, data, plot);
  }

  function show(figure) {
    const points = read(figure);
    const caption = figure.querySelector("figcaption");
    const plot = document.createElement("div");
    plot.className = "plot";
    plot.setAttribute("aria-hidden", "true");
    const at = document.createElement("span");
    at.className = "at";
    at.setAttribute("aria-hidden", "true");
    const button = document.createElement("button");
    button.className = "quiet";
    button.type = "button";
    const name = document.createElement("span");
    name.className = "sr";
    name.textContent = `: ${caption.textContent.trim()}`;
    const turn = (asTable) => {
      figure.classList.toggle("as-table", asTable);
      button.setAttribute("aria-pressed", String(asTable));
    };
    button.append("As a table", name);
    button.addEventListener("click", () => turn(!figure.classList.contains("as-table")));
    caption.append(at, button);
    caption.after(plot);
    turn(false);
    if (points.every((point) => point.value === null)) {
      plot.classList.add("empty");
      plot.textContent = "Nothing in this window";
      return null;
    }
    let chart = draw(figure, plot, at, points);
    return {
      fit() { if (plot.clientWidth) chart.setSize({ width: plot.clientWidth, height: 200 }); },
      redraw() { chart.destroy(); chart = draw(figure, plot, at, points); },
    };
  }

  addEventListener("DOMContentLoaded", () => {
    const charts = [...document.querySelectorAll(".chart")].map(show).filter(Boolean);
    let frame = 0;
    addEventListener("resize", () => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => charts.forEach((chart) => chart.fit()));
    });
    for (const query of ["(prefers-color-scheme: dark)", "print"]) {
      matchMedia(query).addEventListener("change", () => charts.forEach((chart) => chart.redraw()));
    }
  });
})();
