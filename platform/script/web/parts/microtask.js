// queueMicrotask.
const settled = Promise.resolve();
function queueMicrotask(callback) {
  if (typeof callback !== "function") throw new TypeError("queueMicrotask needs a function");
  settled.then(() => {
    try {
      callback();
    } catch (error) {
      web.global.reportError(error);
    }
  });
}

return { queueMicrotask };
