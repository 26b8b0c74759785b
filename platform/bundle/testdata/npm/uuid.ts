import { v4, v5, v7, validate, version } from "uuid";

export default {
  fetch() {
    const ids = [v4(), v5("fazt", v5.URL), v7()];
    return Response.json({ ids, valid: ids.map(validate), versions: ids.map(version) });
  },
};
