// The page holds one worker, which computes, and hands it what the driver asks for: a page itself may
// not wait for threads.

const worker = new Worker(new URL("./page-worker.js", import.meta.url), { type: "module" });

/** @param {unknown} request */
function ask(request) {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => ("error" in data ? reject(new Error(data.error)) : resolve(data));
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(request);
  });
}

Object.assign(globalThis, { ask });
