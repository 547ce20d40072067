// Serves the kiosk and its files from a cache. A new version is fetched as a whole and then replaces the old one.
"use strict";

const { version, addresses } = {{ cached }};
const NAME = `kiosk-${version}`;

self.addEventListener("install", (event) => {
  const requests = addresses.map((address) => new Request(address, { cache: "reload", credentials: "omit" }));
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(requests)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const removeOld = async () => {
    for (const name of await caches.keys()) if (name.startsWith("kiosk-") && name !== NAME) await caches.delete(name);
    await self.clients.claim();
  };
  event.waitUntil(removeOld());
});

// Only what is listed comes from the cache. Requests to the API pass.
self.addEventListener("fetch", (event) => {
  const { origin, pathname } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== location.origin || !addresses.includes(pathname)) return;
  event.respondWith(caches.open(NAME).then((cache) => cache.match(pathname)).then((found) => found ?? fetch(event.request)));
});
