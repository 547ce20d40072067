// Copies what browsers get of the installed packages to a folder of static files, also compressed.
//     node deploy/browser_packages.mjs tenant_apps/desk/static/desk/packages
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const FILES = {
  "zxing-reader.js": "zxing-wasm/dist/iife/reader/index.js",
  "zxing-reader.wasm": "zxing-wasm/dist/reader/zxing_reader.wasm",
};

const folder = process.argv[2];
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const [name, source] of Object.entries(FILES)) {
  const content = readFileSync(join("node_modules", source));
  writeFileSync(join(folder, name), content);
  writeFileSync(join(folder, `${name}.gz`), gzipSync(content, { level: 9 }));
}
