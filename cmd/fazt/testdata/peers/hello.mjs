// node:http that answers as the app of the benchmark does: node hello.mjs PORT
import { createServer } from "node:http";

createServer((request, response) => {
  response.setHeader("content-type", "text/plain;charset=UTF-8");
  response.end("hello");
}).listen(Number(process.argv[2]), "127.0.0.1");
