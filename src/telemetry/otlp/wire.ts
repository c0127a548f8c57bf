import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire"

/**
 * How a value is written in the binary form, and what it is in OTLP's JSON, which is the form of all messages here:
 * `hex` bytes and 64-bit numbers are texts, `bytes` are base64, and all others are what JSON has.
 */
type Scalar = "string" | "hex" | "bytes" | "bool" | "double" | "int32" | "uint32" | "int64" | "fixed64" | "fixed32"

interface Field {
  readonly no: number
  /** A function for the type of a message, because messages can contain themselves. */
  readonly type: Scalar | (() => MessageType)
  readonly isList?: true
}

/** The fields of a message by their names in JSON. */
export type MessageType = Readonly<Record<string, Field>>

/** A message in the form of OTLP's JSON: lower camel case, enums as numbers, absent fields left out. */
export type Message = Readonly<Record<string, unknown>>

/** A message nests messages at most this deep. The values of attributes can contain lists and maps. */
const MAX_DEPTH = 32

/** Returns the protobuf form of a message. Fields that the type does not have are left out. */
export function encode(type: MessageType, message: Message): Uint8Array {
  return writeMessage(new BinaryWriter(), type, message).finish()
}

function writeMessage(writer: BinaryWriter, type: MessageType, message: Message): BinaryWriter {
  for (const [name, field] of Object.entries(type)) {
    const value = message[name]
    if (value === undefined || value === null) continue
    if (!field.isList) writeField(writer, field, value)
    else if (isPacked(field)) writePacked(writer, field, value as readonly unknown[])
    else for (const item of value as readonly unknown[]) writeField(writer, field, item)
  }
  return writer
}

function writeField(writer: BinaryWriter, { no, type }: Field, value: unknown): void {
  if (typeof type === "function") {
    writer.tag(no, WireType.LengthDelimited).fork()
    writeMessage(writer, type(), value as Message).join()
  } else writeScalar(writer.tag(no, WIRE_TYPES[type]), type, value)
}

function writePacked(writer: BinaryWriter, { no, type }: Field, values: readonly unknown[]): void {
  writer.tag(no, WireType.LengthDelimited).fork()
  for (const value of values) writeScalar(writer, type as Scalar, value)
  writer.join()
}

function writeScalar(writer: BinaryWriter, type: Scalar, value: unknown): void {
  if (type === "hex") writer.bytes(Buffer.from(String(value), "hex"))
  else if (type === "bytes") writer.bytes(Buffer.from(String(value), "base64"))
  else writer[type](value as never)
}

const WIRE_TYPES: Readonly<Record<Scalar, WireType>> = {
  string: WireType.LengthDelimited,
  hex: WireType.LengthDelimited,
  bytes: WireType.LengthDelimited,
  bool: WireType.Varint,
  int32: WireType.Varint,
  uint32: WireType.Varint,
  int64: WireType.Varint,
  double: WireType.Bit64,
  fixed64: WireType.Bit64,
  fixed32: WireType.Bit32,
}

/** Lists of numbers are one field. */
function isPacked({ type }: Field): boolean {
  return typeof type !== "function" && WIRE_TYPES[type] !== WireType.LengthDelimited
}

/**
 * Parses the protobuf form of a message. Fields that the type does not have are skipped.
 * @throws Error if the bytes are no such message, or nest too deep
 */
export function decode(type: MessageType, bytes: Uint8Array): Message {
  return readMessage(new BinaryReader(bytes), bytes.length, type, MAX_DEPTH)
}

const fieldsOf = new WeakMap<MessageType, ReadonlyMap<number, readonly [string, Field]>>()

function toFields(type: MessageType): ReadonlyMap<number, readonly [string, Field]> {
  let fields = fieldsOf.get(type)
  if (fields === undefined) {
    fields = new Map(Object.entries(type).map(([name, field]) => [field.no, [name, field]]))
    fieldsOf.set(type, fields)
  }
  return fields
}

function readMessage(reader: BinaryReader, end: number, type: MessageType, depth: number): Message {
  if (depth === 0) throw new Error("the message nests too deep")
  if (end > reader.len) throw new Error("the message is truncated")
  const fields = toFields(type)
  const message: Record<string, unknown> = {}
  while (reader.pos < end) {
    const [no, wireType] = reader.tag()
    const [name, field] = fields.get(no) ?? []
    if (name === undefined || field === undefined) reader.skip(wireType, no)
    else readField(reader, { message, name, field, wireType, depth })
  }
  if (reader.pos !== end) throw new Error("a field reaches beyond its message")
  return message
}

interface ReadingField {
  readonly message: Record<string, unknown>
  readonly name: string
  readonly field: Field
  readonly wireType: WireType
  readonly depth: number
}

function readField(reader: BinaryReader, { message, name, field, wireType, depth }: ReadingField): void {
  const { type, isList } = field
  if (isList) message[name] ??= []
  const list = isList ? (message[name] as unknown[]) : undefined
  if (typeof type === "function") {
    if (wireType !== WireType.LengthDelimited) throw new Error(`${name} has another type`)
    const length = reader.uint32()
    const value = readMessage(reader, reader.pos + length, type(), depth - 1)
    if (list) list.push(value)
    else message[name] = value
  } else if (list && isPacked(field) && wireType === WireType.LengthDelimited) {
    const end = reader.uint32() + reader.pos
    while (reader.pos < end) list.push(readScalar(reader, type))
  } else {
    if (wireType !== WIRE_TYPES[type]) throw new Error(`${name} has another type`)
    const value = readScalar(reader, type)
    if (list) list.push(value)
    else message[name] = value
  }
}

function readScalar(reader: BinaryReader, type: Scalar): unknown {
  if (type === "hex") return Buffer.from(reader.bytes()).toString("hex")
  if (type === "bytes") return Buffer.from(reader.bytes()).toString("base64")
  const value = reader[type]()
  return type === "int64" || type === "fixed64" ? String(value) : value
}
