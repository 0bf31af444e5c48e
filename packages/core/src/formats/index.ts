/** Pure functions over bytes: keys and certificates, the ssh-agent protocol, ClientHello, the sealed login answer, SPDY and WebSocket frames, recordings, plain XML. */
export { createSpdyTap } from "./spdy.ts";
export type { SpdyTapOptions } from "./spdy.ts";
export { createWebSocketTap, isWebSocketKnown } from "./websocket.ts";
export type { WebSocketTapOptions } from "./websocket.ts";
export type { CommandSink, CommandStream, PortConnection, PortSink, StreamSinks } from "./stream-sink.ts";
export { commandOutcome, maxOutcome } from "./command-outcome.ts";
export type { CommandOutcome } from "./command-outcome.ts";
export { createCommandTranslation } from "./command-translation.ts";
export type { CommandTranslationOptions } from "./command-translation.ts";
export { createTunnelTranslation } from "./tunnel-translation.ts";
export type { Translation, Turn } from "./translation.ts";
export { statusText } from "./stream-tap.ts";
export type { StreamEnd, StreamTap } from "./stream-tap.ts";
export { decodeBase64 } from "./bytes.ts";
export { SshReader, SshWriter } from "./ssh-wire.ts";
export { channelOpenFailure, encodeSshMessage, parseSshMessage, sshMessageNumber } from "./ssh-messages.ts";
export type { SshMessage } from "./ssh-messages.ts";
export type { FileEvent, FileTap, OnFile } from "./file-events.ts";
export { createSftpTap } from "./sftp.ts";
export { createScpTap } from "./scp.ts";
export { parseScpCommand } from "./scp-command.ts";
export type { ScpCommand } from "./scp-command.ts";
export { encodeExitStatus, parseChannelRequest, parseForward, parseListen } from "./ssh-requests.ts";
export type { ChannelRequest, ForwardTarget } from "./ssh-requests.ts";
export { formatAuthorizedKey, parseAuthorizedKey, publicKeyFromSsh, sshFingerprint, sshPublicKey } from "./ssh-keys.ts";
export type { AuthorizedKey, SshKeyAlgorithm } from "./ssh-keys.ts";
export { encodeOpenSshPrivateKey } from "./ssh-private-key.ts";
export { agentFlags, agentFrame, agentLimits, agentMessage, encodeAgentRequest, encodeAgentResponse, parseAgentRequest, parseAgentResponse, parseSessionBind } from "./agent-protocol.ts";
export { createAgentFrames } from "./agent-frames.ts";
export type { AgentFrames } from "./agent-frames.ts";
export type { AgentIdentity, AgentRequest, AgentResponse, AgentSessionBind } from "./agent-protocol.ts";
export { sshSign, sshVerify } from "./ssh-signature.ts";
export { verifySshSig } from "./ssh-sig.ts";
export { encodeKrl, parseKrl } from "./ssh-krl.ts";
export type { KeyRevocationList, RevokedCertificates, SerialRange } from "./ssh-krl.ts";
export { parseSshCertificate, signSshCertificate, sshForever } from "./ssh-cert.ts";
export type { SshCertificate, SshCertificateFields } from "./ssh-cert.ts";
export { addressInRanges, commonRanges, plainAddress, rangeProblem } from "./cidr.ts";
export { verifySshCertificate } from "./ssh-cert-verify.ts";
export type { SshCertificateCheck } from "./ssh-cert-verify.ts";
export { DerReader, derTag } from "./der.ts";
export { der } from "./der-write.ts";
export { certificateDer, encodeCertificatePem } from "./pem.ts";
export { buildCertificate, certificatePublicKey, parseCertificate, spkiPin, verifyCertificateSignature } from "./x509.ts";
export type { Certificate, CertificateContent, CertificateSigner, SignatureAlgorithm } from "./x509.ts";
export type { CertificateExtension, ExtendedKeyUsage, KeyUsage } from "./x509-extensions.ts";
export type { DistinguishedName, NameAttribute } from "./x509-names.ts";
export { headlessCode, readHeadlessCode } from "./headless-code.ts";
export type { HeadlessFacts } from "./headless-code.ts";
export { open, seal } from "./secretbox.ts";
export { parseClientHello } from "./client-hello.ts";
export type { ClientHello } from "./client-hello.ts";
export { isRecordingStream, recordingFormat, sessionPlace, sshSessionKinds } from "./recording.ts";
export type {
  KubeSession,
  RecordedSession,
  RecordingChain,
  RecordingEnd,
  RecordingGap,
  RecordingHeader,
  RecordingMarker,
  RecordingRecord,
  RecordingStreamType,
  RecordingType,
  SessionNode,
  SessionPlace,
  SshSession,
  SshSessionKind,
  TerminalSize,
} from "./recording.ts";
export { RecordingBuilder, emptyRecordingChain, encodeChunk } from "./recording-builder.ts";
export { RecordingReader, readRecording, recordingDigest } from "./recording-reader.ts";
export type { RecordingDamage, RecordingSummary } from "./recording-reader.ts";
export {
  encodeRecordingJson,
  encodeRecordingResize,
  parseRecordingEnd,
  parseRecordingGap,
  parseRecordingHeader,
  parseRecordingMarker,
  parseRecordingResize,
} from "./recording-payloads.ts";
export { createAsciicastExport, createJsonExport } from "./asciicast.ts";
export type { RecordingExport } from "./asciicast.ts";
export { attributeOf, elementsOf, readXml, textOf } from "./xml.ts";
export type { XmlAttribute, XmlElement, XmlLimits } from "./xml.ts";
