using System.Text;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

namespace ProxyGateway.Tests.Handshakes;

/// <summary>A challenge is what its backend, the gate and the client read alike.</summary>
public sealed class ChallengeTests
{
    [Theory]
    [InlineData("""{"type":"event","event":"connect.challenge","payload":{"nonce":"n","ts":1},"seq":1}""", "n")]
    [InlineData("""{"type":"event","event":"connect.challenge","payload":{"nonce":"a b"}}""", "a b")]
    [InlineData("""{"type":"event","event":"connect.challenge","payload":{"nonce":""}}""", null)]
    [InlineData("""{"type":"event","event":"connect.challenge","payload":{"nonce":" n"}}""", null)]
    [InlineData("""{"type":"event","event":"connect.challenge","payload":{"nonce":"n\t"}}""", null)]
    [InlineData("""{"type":"event","event":"connect.challenge","payload":{"nonce":"a|b"}}""", null)]
    [InlineData("""{"type":"event","event":"connect.challenge","payload":{"nonce":1}}""", null)]
    [InlineData("""{"type":"event","event":"connect.challenge","payload":{"nonce":null}}""", null)]
    [InlineData("""{"type":"event","event":"connect.challenge","payload":{}}""", null)]
    [InlineData("""{"type":"event","event":"connect.challenge","payload":["nonce"]}""", null)]
    [InlineData("""{"type":"event","event":"connect.challenge","nonce":"n"}""", null)]
    [InlineData("""{"type":"event","event":"connect.other","payload":{"nonce":"n"}}""", null)]
    [InlineData("""{"type":"event","event":1,"payload":{"nonce":"n"}}""", null)]
    [InlineData("""{"type":"event","payload":{"nonce":"n"}}""", null)]
    [InlineData("""{"type":"res","event":"connect.challenge","payload":{"nonce":"n"}}""", null)]
    [InlineData("""{"type":1,"event":"connect.challenge","payload":{"nonce":"n"}}""", null)]
    [InlineData("""{"event":"connect.challenge","payload":{"nonce":"n"}}""", null)]
    [InlineData("""[{"type":"event","event":"connect.challenge","payload":{"nonce":"n"}}]""", null)]
    [InlineData("\"connect.challenge\"", null)]
    [InlineData("null", null)]
    [InlineData("", null)]
    public void The_nonce_is_that_of_a_challenge_and_of_nothing_else(string message, string? nonce) =>
        Challenge.ReadNonce(Encoding.UTF8.GetBytes(message)).ShouldBe(nonce);

    [Theory]
    [InlineData(256, true)]
    [InlineData(257, false)]
    public void A_nonce_has_256_characters_at_most(int length, bool isRead)
    {
        string nonce = new('n', length);

        Challenge.ReadNonce(Encoding.UTF8.GetBytes($$$"""{"type":"event","event":"connect.challenge","payload":{"nonce":"{{{nonce}}}"}}""")).ShouldBe(isRead ? nonce : null);
    }
}
