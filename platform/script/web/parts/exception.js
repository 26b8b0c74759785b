// DOMException, and how errors of the host functions become one.
const codes = {
  __proto__: null,
  IndexSizeError: 1, HierarchyRequestError: 3, WrongDocumentError: 4, InvalidCharacterError: 5,
  NoModificationAllowedError: 7, NotFoundError: 8, NotSupportedError: 9, InUseAttributeError: 10,
  InvalidStateError: 11, SyntaxError: 12, InvalidModificationError: 13, NamespaceError: 14,
  InvalidAccessError: 15, TypeMismatchError: 17, SecurityError: 18, NetworkError: 19, AbortError: 20,
  URLMismatchError: 21, QuotaExceededError: 22, TimeoutError: 23, InvalidNodeTypeError: 24, DataCloneError: 25,
};
const constants =
  "INDEX_SIZE_ERR DOMSTRING_SIZE_ERR HIERARCHY_REQUEST_ERR WRONG_DOCUMENT_ERR INVALID_CHARACTER_ERR NO_DATA_ALLOWED_ERR NO_MODIFICATION_ALLOWED_ERR NOT_FOUND_ERR NOT_SUPPORTED_ERR INUSE_ATTRIBUTE_ERR INVALID_STATE_ERR SYNTAX_ERR INVALID_MODIFICATION_ERR NAMESPACE_ERR INVALID_ACCESS_ERR VALIDATION_ERR TYPE_MISMATCH_ERR SECURITY_ERR NETWORK_ERR ABORT_ERR URL_MISMATCH_ERR QUOTA_EXCEEDED_ERR TIMEOUT_ERR INVALID_NODE_TYPE_ERR DATA_CLONE_ERR".split(" ");

class DOMException extends Error {
  #message;
  #name;
  constructor(message = "", options = undefined) {
    super();
    this.#message = `${message}`;
    if (typeof options === "object" && options !== null) {
      this.#name = options.name === undefined ? "Error" : `${options.name}`;
      if ("cause" in options) web.hidden(this, "cause", options.cause);
    } else {
      this.#name = options === undefined ? "Error" : `${options}`;
    }
  }
  get name() { return this.#name; }
  get message() { return this.#message; }
  get code() { return codes[this.#name] ?? 0; }
  get [Symbol.toStringTag]() { return "DOMException"; }
}
constants.forEach((name, i) => {
  const constant = { value: i + 1, enumerable: true };
  Object.defineProperty(DOMException, name, constant);
  Object.defineProperty(DOMException.prototype, name, constant);
});

const native = { __proto__: null, TypeError, RangeError, SyntaxError };

// The message of a host function's error is "Name|text".
function translated(error) {
  const message = error?.message;
  const bar = typeof message === "string" ? message.indexOf("|") : -1;
  if (bar <= 0) return error;
  const name = message.slice(0, bar);
  const text = message.slice(bar + 1);
  return native[name] ? new native[name](text) : new DOMException(text, name);
}

// call is web.call with the errors that the web has names for.
function call(...args) {
  try {
    return web.call(...args);
  } catch (error) {
    throw translated(error);
  }
}

return { DOMException, call, translated };
