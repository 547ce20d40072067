// What a kiosk keeps on its device, in IndexedDB: its settings, and the scans that the server has not acknowledged.
"use strict";

const opened = new Promise((resolve, reject) => {
  const request = indexedDB.open("tatami-kiosk", 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("settings");
    // The key counts upwards and never repeats: it is the order number that the server receives as `seq`.
    request.result.createObjectStore("queue", { keyPath: "seq", autoIncrement: true });
  };
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
  request.onblocked = () => reject(new Error("blocked"));
});

// Runs `action(store)` in a transaction; resolves with the result of its request when the transaction is on disk.
async function transact(name, mode, action) {
  const database = await opened;
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(name, mode, { durability: "strict" });
    const request = action(transaction.objectStore(name));
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}

export const readSetting = (name) => transact("settings", "readonly", (store) => store.get(name));
export const writeSetting = (name, value) => transact("settings", "readwrite", (store) => store.put(value, name));
export const removeSetting = (name) => transact("settings", "readwrite", (store) => store.delete(name));

// A scan `{token, nonce, scanned_at, class_session}`; returns its order number once it is on disk.
export const enqueue = (scan) => transact("queue", "readwrite", (store) => store.add(scan));
export const countQueued = () => transact("queue", "readonly", (store) => store.count());
export const oldestQueued = (most) => transact("queue", "readonly", (store) => store.getAll(null, most));
export const dequeue = (numbers) =>
  transact("queue", "readwrite", (store) => {
    for (const number of numbers) store.delete(number);
  });
