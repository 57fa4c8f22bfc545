// A subscriber as it is written against JavaScript's spin-sdk 2: what comes is put into a list at the server.
import { Redis, Variables } from "@fermyon/spin-sdk";

const text = new TextEncoder();

export const inboundRedis = {
  handleMessage(message) {
    if (new TextDecoder().decode(message) === "fail") {
      throw new Error("as it was asked to");
    }
    const server = Redis.open(Variables.get("server"));
    server.execute("RPUSH", [
      { tag: "binary", val: text.encode("received") },
      { tag: "binary", val: message },
    ]);
  },
};
