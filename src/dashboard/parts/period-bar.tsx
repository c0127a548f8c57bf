import { useState } from "preact/hooks"
import { navigate } from "../kit/location.ts"
import { COMPARISONS, PERIODS } from "../kit/period.ts"
import { DEFAULT_SINCE, LOCAL_ZONE, type Question, withParams } from "../kit/question.ts"
import { FormDialog } from "./dialog.tsx"
import { Choice, Field } from "./form.tsx"

const CUSTOM = "custom"

/** Chooses the period, what it is compared with, and the time zone. */
export function PeriodBar({ question, canCompare }: { readonly question: Question; readonly canCompare: boolean }) {
  const { params, href } = question
  const [asked, setAsked] = useState<"period" | "comparison">()
  const go = (changes: Readonly<Record<string, string | undefined>>) => navigate(href(withParams(params, changes)))
  const since = params.get("since") ?? DEFAULT_SINCE
  const until = params.get("until")
  const isPreset = PERIODS.some((period) => period.since === since && period.until === (until ?? undefined))
  const custom = [CUSTOM, isPreset ? "Other dates …" : toText(since, until)] as const
  const compare = params.get("compare") ?? "previous"
  return (
    <div class="period-bar">
      <Choice
        label="Period"
        isBare
        value={isPreset ? since : CUSTOM}
        options={[...PERIODS.map(({ since, title }) => [since, title] as const), custom]}
        onChange={(value) =>
          value === CUSTOM
            ? setAsked("period")
            : go({ since: value, until: PERIODS.find(({ since }) => since === value)?.until })
        }
      />
      {!isPreset && (
        <button type="button" class="button" onClick={() => setAsked("period")}>
          Dates
        </button>
      )}
      {canCompare && (
        <Choice
          label="Compare with"
          isBare
          value={compare}
          options={COMPARISONS}
          onChange={(value) => (value === "custom" ? setAsked("comparison") : go({ compare: value, vs: undefined }))}
        />
      )}
      {canCompare && compare !== "off" && (
        <label class="check" title="Compare Mondays with Mondays">
          <input
            type="checkbox"
            checked={params.get("match") === "weekday"}
            onChange={(event) => go({ match: event.currentTarget.checked ? "weekday" : undefined })}
          />
          Match weekdays
        </label>
      )}
      <ZoneChoice question={question} />
      <PeriodDialog question={question} asked={asked} onClose={() => setAsked(undefined)} />
    </div>
  )
}

interface PeriodDialogProps {
  readonly question: Question
  readonly asked: "period" | "comparison" | undefined
  readonly onClose: () => void
}

function PeriodDialog({ question: { params, href }, asked, onClose }: PeriodDialogProps) {
  const go = (changes: Readonly<Record<string, string | undefined>>) => navigate(href(withParams(params, changes)))
  const until = params.get("until")
  if (asked === "comparison") {
    return (
      <FormDialog
        title="Compare with a period that begins on"
        action="Compare"
        onClose={onClose}
        onSubmit={async ({ vs }) => go({ compare: "custom", vs })}
      >
        <Field label="From" name="vs" type="date" isRequired isFirst />
      </FormDialog>
    )
  }
  if (asked === undefined) return null
  return (
    <FormDialog
      title="Choose the dates"
      action="Show"
      onClose={onClose}
      onSubmit={async ({ since, until }) => go({ since, until: until || undefined })}
    >
      <Field
        label="From"
        name="since"
        type="date"
        isRequired
        isFirst
        value={toDate(params.get("since") ?? DEFAULT_SINCE)}
      />
      <Field label="To" name="until" type="date" value={toDate(until)} hint="The whole day counts. Empty: until now." />
    </FormDialog>
  )
}

const toDate = (text: string | null) => (/^\d{4}-\d{2}-\d{2}/.test(text ?? "") ? text!.slice(0, 10) : undefined)

function toText(since: string, until: string | null): string {
  const short = (text: string) => text.replace(/T(\d\d:\d\d).*/, " $1")
  return until === null ? `Since ${short(since)}` : since === until ? short(since) : `${short(since)} – ${short(until)}`
}

function ZoneChoice({ question: { params, href, tz } }: { readonly question: Question }) {
  const zones = [...new Set([tz, LOCAL_ZONE, "UTC"])]
  const [isOther, setOther] = useState(false)
  const go = (zone: string) => navigate(href(withParams(params, { tz: zone === LOCAL_ZONE ? undefined : zone })))
  return (
    <>
      <Choice
        label="Time zone"
        isBare
        value={tz}
        options={[...zones.map((zone) => [zone, zone.replaceAll("_", " ")] as const), ["", "Other zone …"]]}
        onChange={(zone) => (zone === "" ? setOther(true) : go(zone))}
      />
      {isOther && (
        <FormDialog
          title="Choose the time zone"
          action="Show"
          onClose={() => setOther(false)}
          onSubmit={async ({ tz }) => go(toZone(tz!))}
        >
          <Field
            label="Time zone"
            name="tz"
            isRequired
            isFirst
            placeholder="Europe/Lisbon"
            hint="A name such as America/New_York"
          />
        </FormDialog>
      )}
    </>
  )
}

/** @throws Error for a zone that does not exist */
function toZone(text: string): string {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: text.trim().replaceAll(" ", "_") }).resolvedOptions().timeZone
  } catch {
    throw new Error(`There is no time zone ${JSON.stringify(text)}. Use a name such as Europe/Lisbon.`)
  }
}
