// The objects of env: factories by kind, each (name, config, call) => object.
export const uploads = new WeakSet();
