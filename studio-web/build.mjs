// Bundle the page into ../src/celesta/studio/static, and note the hash of the sources it was built from.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync, copyFileSync } from "node:fs";
import { build } from "esbuild";

const out = "../src/celesta/studio/static";
await build({
  entryPoints: { app: "src/main.tsx" },
  bundle: true,
  minify: true,
  target: ["es2022"],
  format: "esm",
  legalComments: "none",
  outdir: out,
});
await build({ entryPoints: { app: "src/style.css" }, bundle: true, minify: true, outdir: out });
for (const name of ["index.html", "icon.svg"]) copyFileSync(`src/${name}`, `${out}/${name}`);

function files(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((e) => (e.isDirectory() ? files(`${folder}/${e.name}`) : [`${folder}/${e.name}`]))
    .sort();
}
const hash = createHash("sha256");
for (const name of [...files("src"), "package-lock.json"]) hash.update(name + "\n").update(readFileSync(name));
writeFileSync(`${out}/built-from.txt`, hash.digest("hex") + "\n");
