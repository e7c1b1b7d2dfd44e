import { render } from "preact";
import { get, listen } from "./api";
import { App } from "./parts/app";
import { compareDeck } from "./views/compare";
import { twinDeck } from "./views/twins";
import { coming, latency, ready, varyDeck } from "./views/vary";
import { player } from "./player";
import { fail, server, start } from "./state";
import type { State } from "./types";

declare global {
  interface Window {
    celesta: unknown;
  }
}

window.celesta = { compareDeck, varyDeck, twinDeck, player, latency, ready, coming }; // for tests of the clock

render(<App />, document.getElementById("app")!);
get<State>("/state").then((found) => {
  server.value = found;
  start();
  listen();
}, fail);
