// Players: all versions of a clip run on one Web Audio clock; switching only moves gains, so nothing restarts or jumps.
const FADE = 0.01; // seconds of cross-fade when the version changes
let audioContext = null;
const players = [];

function clockText(seconds) {
  const tenths = Math.round(seconds * 10);
  return Math.floor(tenths / 600) + ":" + String(Math.floor(tenths / 10) % 60).padStart(2, "0") + "." + tenths % 10;
}

function bytesOf(uri) {
  return Uint8Array.from(atob(uri.slice(uri.indexOf(",") + 1)), c => c.charCodeAt(0)).buffer;
}

class Player {
  constructor(root) {
    this.root = root;
    this.lanes = [...root.querySelectorAll(".lane")];
    this.radios = this.lanes.map(lane => lane.querySelector("input"));
    this.duration = Number(root.dataset.duration);
    this.chosen = 0;
    this.offset = 0;       // seconds into the clip at which playing began, or will begin
    this.startedAt = 0;    // time of the audio clock at that moment
    this.playing = false;
    this.buffers = null;
    this.sources = [];
    this.part = name => root.querySelector("." + name);
    this.part("play").addEventListener("click", () => this.toggle());
    this.part("seek").addEventListener("input", event => this.seek(Number(event.target.value)));
    this.part("equal").addEventListener("change", () => this.applyGains());
    this.part("repeat").addEventListener("change", () => { if (this.playing) this.seek(this.position()); });
    this.lanes.forEach((lane, i) => {
      this.radios[i].addEventListener("change", () => this.choose(i));
      lane.querySelector(".view").addEventListener("click", event => {
        const box = event.currentTarget.getBoundingClientRect();
        this.seek((event.clientX - box.left) / box.width * this.duration);
        this.choose(i);
      });
    });
    root.addEventListener("keydown", event => this.key(event));
    this.draw();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const digit = Number(event.key);
    const onControl = event.target.matches("button, input[type=checkbox]");
    if (event.key === " " && !onControl) this.toggle();
    else if (digit >= 1 && digit <= this.lanes.length) { this.choose(digit - 1); this.radios[digit - 1].focus(); }
    else if (event.target.matches(".play") && event.key === "ArrowRight") this.seek(this.position() + 1);
    else if (event.target.matches(".play") && event.key === "ArrowLeft") this.seek(this.position() - 1);
    else return;
    event.preventDefault();
  }

  async load() {
    if (this.buffers) return;
    audioContext = audioContext || new AudioContext();
    this.output = audioContext.createGain();
    this.analyser = audioContext.createAnalyser();
    this.analyser.fftSize = 2048;
    this.output.connect(this.analyser);
    this.output.connect(audioContext.destination);
    this.gains = this.lanes.map(() => {
      const gain = audioContext.createGain();
      gain.connect(this.output);
      return gain;
    });
    this.buffers = await Promise.all(this.lanes.map(lane => audioContext.decodeAudioData(bytesOf(lane.dataset.audio))));
  }

  async toggle() {
    if (this.playing) return this.pause();
    try {
      await this.load();
    } catch (error) {
      this.buffers = null;
      const failure = this.part("failure");
      failure.textContent = "This browser cannot play Ogg Opus; use a current Firefox, Chrome, Edge or Safari (18.4 or later).";
      failure.hidden = false;
      return;
    }
    await audioContext.resume();
    players.forEach(other => { if (other !== this) other.pause(); });
    this.start(this.offset >= this.duration ? 0 : this.offset);
  }

  start(offset) {
    this.stopSources();
    const when = audioContext.currentTime + 0.03;
    const repeat = this.part("repeat").checked;
    this.gains.forEach(gain => { gain.gain.cancelScheduledValues(0); gain.gain.value = 0; });
    this.sources = this.buffers.map((buffer, i) => {
      const source = audioContext.createBufferSource();
      source.buffer = buffer;
      source.loop = repeat;
      source.loopEnd = this.duration;
      source.connect(this.gains[i]);
      source.start(when, offset);
      return source;
    });
    this.offset = offset;
    this.startedAt = when;
    this.playing = true;
    this.applyGains();
    this.part("play").innerHTML = "&#10074;&#10074;";
    this.part("play").setAttribute("aria-label", "Pause");
    requestAnimationFrame(() => this.tick());
  }

  stopSources() {
    this.sources.forEach(source => { source.stop(); source.disconnect(); });
    this.sources = [];
  }

  pause() {
    if (!this.playing) return;
    this.offset = this.position();
    this.playing = false;
    this.stopSources();
    this.part("play").innerHTML = "&#9654;";
    this.part("play").setAttribute("aria-label", "Play");
    this.draw();
  }

  seek(seconds) {
    const offset = Math.min(Math.max(seconds, 0), this.duration - 0.01);
    if (this.playing) this.start(offset); else { this.offset = offset; this.draw(); }
  }

  position() {
    if (!this.playing) return this.offset;
    const at = this.offset + Math.max(0, audioContext.currentTime - this.startedAt);
    return this.part("repeat").checked ? at % this.duration : Math.min(at, this.duration);
  }

  choose(i) {
    this.chosen = i;
    this.radios[i].checked = true;
    this.lanes.forEach((lane, j) => lane.classList.toggle("chosen", j === i));
    this.applyGains();
  }

  applyGains() {
    if (!this.playing) return;
    const loudness = this.lanes.map(lane => parseFloat(lane.dataset.loudness)); // NaN: silent
    const equal = this.part("equal").checked;
    this.gains.forEach((gain, i) => {
      const even = equal && Number.isFinite(loudness[i]) && Number.isFinite(loudness[0]);
      const level = even ? Math.min(4, 10 ** ((loudness[0] - loudness[i]) / 20)) : 1;
      const now = audioContext.currentTime;
      gain.gain.cancelScheduledValues(now);
      gain.gain.setValueAtTime(gain.gain.value, now);
      gain.gain.linearRampToValueAtTime(i === this.chosen ? level : 0, now + FADE);
    });
  }

  tick() {
    if (!this.playing) return;
    if (!this.part("repeat").checked && this.position() >= this.duration) {
      this.pause();
      this.offset = 0;
    }
    this.draw();
    requestAnimationFrame(() => this.tick());
  }

  draw() {
    const at = this.position();
    this.part("seek").value = at;
    this.part("clock").textContent = clockText(at) + " / " + clockText(this.duration);
    const percent = at / this.duration * 100 + "%";
    this.lanes.forEach(lane => { lane.querySelector(".cursor").style.left = percent; });
    let level = -Infinity;
    if (this.playing) {
      const samples = new Float32Array(this.analyser.fftSize);
      this.analyser.getFloatTimeDomainData(samples);
      level = 10 * Math.log10(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
    }
    this.part("level").textContent = level > -90 ? "\u2212" + Math.max(0, -level).toFixed(0) + " dB" : "\u2212\u221e dB";
    this.part("meter").firstElementChild.style.width = Math.max(0, Math.min(100, (level + 60) / 60 * 100)) + "%";
  }
}
document.querySelectorAll(".player").forEach(root => players.push(new Player(root)));
window.celestaPlayers = players;
