import { addDays, differenceInCalendarDays, format, intlFormat, parseISO } from "date-fns";
import { de } from "date-fns/locale/de";

export default {
  fetch(request: Request) {
    const day = parseISO(new URL(request.url).searchParams.get("day") ?? "2026-02-27");
    const next = addDays(day, 3);
    const eastern = intlFormat(next, { dateStyle: "short", timeStyle: "short", timeZone: "America/New_York" }, { locale: "en-US" });
    return Response.json({ next: format(next, "EEEE d MMMM yyyy"), german: format(next, "EEEE d. MMMM", { locale: de }), days: differenceInCalendarDays(next, day), eastern });
  },
};
