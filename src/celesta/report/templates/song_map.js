// The map of songs: names on hover and focus, a click plays; with Ctrl or Shift, or where it cannot play, it opens the file.
document.querySelectorAll(".map").forEach(map => {
  const output = map.querySelector("output"), audio = map.querySelector("audio"), dots = [...map.querySelectorAll(".dot")];
  const name = dot => dot.querySelector("title").textContent;
  let playing = null;
  const show = dot => { output.textContent = dot ? name(dot) : playing ? name(playing) : "Point at a song for its name; click to play it."; };
  dots.forEach(dot => {
    dot.addEventListener("pointerenter", () => show(dot));
    dot.addEventListener("pointerleave", () => show(null));
    dot.addEventListener("focus", () => show(dot));
    dot.addEventListener("click", event => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      playing?.classList.remove("playing");
      playing = dot;
      dot.classList.add("playing");
      audio.src = dot.href.baseVal;
      audio.play().catch(() => { output.textContent = "This browser cannot play it; Ctrl and a click open the file. " + name(dot); });
      show(dot);
    });
  });
});
