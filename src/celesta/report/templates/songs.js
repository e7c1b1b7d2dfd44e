// Songs: find, open what a link leads to, one player at a time, a shared position in its charts.
const rows = [...document.querySelectorAll(".list tbody tr")];
const songs = [...document.querySelectorAll(".song")];
document.querySelector(".filter input")?.addEventListener("input", event => {
  const words = event.target.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  rows.forEach(row => {
    const found = words.every(word => row.textContent.toLocaleLowerCase().includes(word));
    row.hidden = !found;
    document.getElementById(row.querySelector("a").hash.slice(1)).hidden = !found;
    shown += found;
  });
  document.querySelector(".filter output").textContent = shown + " of " + rows.length + " songs";
});
function openLinked() {
  const song = location.hash && document.getElementById(location.hash.slice(1));
  if (song && song.matches(".song")) { song.open = true; song.scrollIntoView(); }
}
addEventListener("hashchange", openLinked);
openLinked();
songs.forEach(song => {
  const audio = song.querySelector("audio"), charts = [...song.querySelectorAll(".time")];
  if (!audio) return;
  const draw = () => {
    charts.forEach(chart => {
      const share = audio.currentTime / (audio.duration || Number(chart.dataset.duration));
      chart.querySelector(".cursor").style.left = Math.min(100, share * 100) + "%";
    });
    if (!audio.paused) requestAnimationFrame(draw);
  };
  audio.addEventListener("play", () => {
    document.querySelectorAll(".song audio").forEach(other => { if (other !== audio) other.pause(); });
    draw();
  });
  audio.addEventListener("seeked", draw);
  charts.forEach(chart => chart.addEventListener("click", event => {
    const box = chart.getBoundingClientRect();
    const seek = () => { audio.currentTime = (event.clientX - box.left) / box.width * audio.duration; };
    if (audio.duration) seek(); else { audio.addEventListener("loadedmetadata", seek, { once: true }); audio.load(); }
    audio.play();
  }));
});
// A button in the table that plays a song without opening it.
rows.forEach(row => {
  const song = document.getElementById(row.querySelector("a").hash.slice(1)), audio = song?.querySelector("audio");
  if (!audio) return;
  const button = document.createElement("button");
  const draw = () => {
    button.textContent = audio.paused ? "\u25b6" : "\u275a\u275a";
    button.setAttribute("aria-label", (audio.paused ? "Play " : "Pause ") + row.querySelector("a").textContent);
    song.classList.toggle("sounding", !audio.paused);
  };
  button.type = "button";
  button.className = "mini";
  button.addEventListener("click", () => { if (audio.paused) audio.play(); else audio.pause(); });
  ["play", "pause", "ended"].forEach(name => audio.addEventListener(name, draw));
  row.cells[0].prepend(button);
  draw();
});
