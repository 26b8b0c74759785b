import { customAlphabet, nanoid } from "nanoid";

const short = customAlphabet("abc", 8);
export default { fetch: () => Response.json({ id: nanoid(), short: short() }) };
