import { DeviceAuthError } from "./errors.js";
import { type DeviceKey, generatePair, type KeyAlgorithm, keyOf } from "./key.js";

const DATABASE = "proxygateway-device-auth";
const STORE = "keys";

export interface BrowserKeyOptions {
  /** Which of this origin's keys; `default` unless set. */
  readonly name?: string;

  /** Of a key that does not exist yet; `ES256` unless set. */
  readonly algorithm?: KeyAlgorithm;
}

/**
 * This browser's key of that name, which is made if there is none. It is in IndexedDB, for this origin alone, and not extractable: a script that gets into
 * the page can use it while it runs there, but cannot take it away.
 */
export async function loadBrowserKey({ name = "default", algorithm = "ES256" }: BrowserKeyOptions = {}): Promise<DeviceKey> {
  const database = await openDatabase();
  try {
    let pair: unknown = await inStore(database, "readonly", (store) => store.get(name));
    // The key is made between two transactions, and another tab may have made one by then: the one that is stored first counts.
    pair ??= await keepFirst(database, name, await generatePair(algorithm));
    if (!isPair(pair) || pair.privateKey.extractable) throw new DeviceAuthError("key_unusable", "What this browser has stored is no key that only signs; call forgetBrowserKey for a new one");
    return await keyOf(pair);
  } finally {
    database.close();
  }
}

/** Deletes this browser's key of that name. An operator can remove the device as well. */
export async function forgetBrowserKey(name = "default"): Promise<void> {
  const database = await openDatabase();
  try {
    await inStore(database, "readwrite", (store) => store.delete(name));
  } finally {
    database.close();
  }
}

function isPair(value: unknown): value is CryptoKeyPair {
  const { publicKey, privateKey } = value as Partial<CryptoKeyPair>;
  return publicKey instanceof CryptoKey && privateKey instanceof CryptoKey;
}

function openDatabase(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return resultOf(request);
}

function inStore<T>(database: IDBDatabase, mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  return resultOf(act(database.transaction(STORE, mode).objectStore(STORE)));
}

function keepFirst(database: IDBDatabase, name: string, pair: CryptoKeyPair): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, "readwrite");
    const store = transaction.objectStore(STORE);
    let kept: unknown = pair;
    const present = store.get(name);
    present.onsuccess = () => {
      if (present.result === undefined) store.add(pair, name);
      else kept = present.result;
    };
    transaction.oncomplete = () => resolve(kept);
    transaction.onabort = () => reject(unusable());
  });
}

function resultOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(unusable());
  });
}

function unusable(): DeviceAuthError {
  return new DeviceAuthError("key_unusable", "This browser's storage cannot be used");
}
